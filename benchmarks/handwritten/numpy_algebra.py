"""Matrices in NumPy: inverse, solve, Cholesky, determinants, forms, powers, einsum."""

import numpy as np
import torch

from .case import case


@case(
    "numpy",
    [(3, 3)],
    [(2, 2)],
    slips=[
        ("sign", "-(Y.T @ dy @ Y.T)", "Y.T @ dy @ Y.T"),
        ("not transposed", "-(Y.T @ dy @ Y.T)", "-(Y @ dy @ Y)"),
        ("one side only", "-(Y.T @ dy @ Y.T)", "-(Y.T @ dy)"),
        ("A for its inverse", "-(Y.T @ dy @ Y.T)", "-(A.T @ dy @ Y.T)"),
        ("the second operand not transposed", "-(Y.T @ dy @ Y.T)", "-(Y.T @ dy @ Y)"),
    ],
)
def inverse():
    def forward(A):
        A = A + 4 * np.eye(len(A), dtype=A.dtype)
        Y = np.linalg.inv(A)
        return Y, (A, Y)

    def backward(dy, cache):
        A, Y = cache
        return -(Y.T @ dy @ Y.T)

    return forward, backward, lambda A: torch.linalg.inv(A + 4 * torch.eye(len(A), dtype=A.dtype))


@case(
    "numpy",
    [(3, 3), (3,)],
    [(2, 2), (2,)],
    slips=[
        ("A not transposed", "np.linalg.solve(A.T, dx)", "np.linalg.solve(A, dx)"),
        ("sign of dA", "-np.outer(db, x)", "np.outer(db, x)"),
        ("outer product transposed", "-np.outer(db, x)", "-np.outer(x, db)"),
        ("b for x", "-np.outer(db, x)", "-np.outer(db, b)"),
        ("multiplied, not solved", "np.linalg.solve(A.T, dx)", "A.T @ dx"),
    ],
    also=[("by the inverse", "np.linalg.solve(A.T, dx)", "np.linalg.inv(A).T @ dx")],
)
def solve():
    def forward(A, b):
        A = A + 4 * np.eye(len(A), dtype=A.dtype)
        x = np.linalg.solve(A, b)
        return x, (A, b, x)

    def backward(dx, cache):
        A, b, x = cache
        db = np.linalg.solve(A.T, dx)
        return {"A": -np.outer(db, x), "b": db}

    return forward, backward, lambda A, b: torch.linalg.solve(A + 4 * torch.eye(len(A), dtype=A.dtype), b)


@case(
    "numpy",
    [(3, 3)],
    [(2, 2)],
    slips=[
        ("diagonal not halved", "P[np.diag_indices(n)] /= 2", "pass"),
        ("not made symmetric", "S = (S + S.T) / 2", "pass"),
        ("upper triangle", "np.tril(L.T @ dL)", "np.triu(L.T @ dL)"),
        ("factor 2 of the square", "return 2 * S @ B", "return S @ B"),
        ("L not transposed", "np.tril(L.T @ dL)", "np.tril(L @ dL)"),
        ("the strict triangle", "np.tril(L.T @ dL)", "np.tril(L.T @ dL, -1)"),
    ],
)
def cholesky():
    def forward(B):
        L = np.linalg.cholesky(B @ B.T + 2 * np.eye(len(B), dtype=B.dtype))
        return L, (B, L)

    def backward(dL, cache):
        B, L = cache
        n = len(L)
        P = np.tril(L.T @ dL)
        P[np.diag_indices(n)] /= 2
        Li = np.linalg.inv(L)
        S = Li.T @ P @ Li
        S = (S + S.T) / 2
        return 2 * S @ B

    return forward, backward, lambda B: torch.linalg.cholesky(B @ B.T + 2 * torch.eye(len(B), dtype=B.dtype))


@case(
    "numpy",
    [(3, 3)],
    [(2, 2)],
    slips=[
        ("not transposed", "np.linalg.inv(A).T", "np.linalg.inv(A)"),
        ("A itself", "np.linalg.inv(A).T", "A.T"),
        ("sign", "dy * np.linalg", "-dy * np.linalg"),
        ("times the determinant", "dy * np.linalg", "dy * np.linalg.det(A) * np.linalg"),
        ("the diagonal only", "np.linalg.inv(A).T", "np.diag(np.diag(np.linalg.inv(A)))"),
    ],
)
def log_determinant():
    def forward(A):
        A = A + 4 * np.eye(len(A), dtype=A.dtype)
        return np.linalg.slogdet(A)[1], A

    def backward(dy, A):
        return dy * np.linalg.inv(A).T

    return forward, backward, lambda A: torch.linalg.slogdet(A + 4 * torch.eye(len(A), dtype=A.dtype))[1]


@case(
    "numpy",
    [(4, 3), (3, 3), (4, 3)],
    [(1, 2), (2, 2), (1, 2)],
    slips=[
        ("A not transposed", "dy[:, None] * (y @ A.T)", "dy[:, None] * (y @ A)"),
        ("operands exchanged", '"n,ni,nj->ij", dy, x, y', '"n,ni,nj->ji", dy, x, y'),
        ("dy forgotten", "dy[:, None] * (x @ A)", "x @ A"),
        ("the sum of dy for all", "dy[:, None] * (x @ A)", "dy.sum() * (x @ A)"),
        ("squared", "dy, x, y)", "dy**2, x, y)"),
    ],
)
def bilinear_form():
    def forward(x, A, y):
        return np.einsum("ni,ij,nj->n", x, A, y), (x, A, y)

    def backward(dy, cache):
        x, A, y = cache
        dA = np.einsum("n,ni,nj->ij", dy, x, y)
        return dy[:, None] * (y @ A.T), dA, dy[:, None] * (x @ A)

    return forward, backward, lambda x, A, y: torch.einsum("ni,ij,nj->n", x, A, y)


@case(
    "numpy",
    [(3, 3)],
    [(2, 2)],
    slips=[
        ("as for numbers", "dy @ AA.T + A.T @ dy @ A.T + AA.T @ dy", "3 * AA.T @ dy"),
        ("the middle term", " + A.T @ dy @ A.T", ""),
        ("not transposed", "A.T @ dy @ A.T", "A @ dy @ A"),
        ("the last term", " + AA.T @ dy", ""),
        ("elementwise", "A.T @ dy @ A.T", "A.T * dy * A.T"),
    ],
)
def matrix_cube():
    def forward(A):
        AA = A @ A
        return AA @ A, (A, AA)

    def backward(dy, cache):
        A, AA = cache
        return dy @ AA.T + A.T @ dy @ A.T + AA.T @ dy

    return forward, backward, lambda A: A @ A @ A


@case(
    "numpy",
    [(2, 3, 4), (2, 4, 2), (3, 1)],
    slips=[
        ("bias not summed over columns", "dy.sum((0, 2))[:, None]", "dy.sum(0)[:, :1]"),
        ("B not transposed right", "np.matmul(dy, B.swapaxes(1, 2))", "np.matmul(dy, B.reshape(2, 2, 4))"),
        ("A from the first of the batch", "np.matmul(A.swapaxes(1, 2), dy)", "np.matmul(A[0].T, dy)"),
        ("batch mean", "dy.sum((0, 2))[:, None]", "dy.mean(0).sum(1)[:, None]"),
        ("sign", "np.matmul(A.swapaxes(1, 2), dy)", "-np.matmul(A.swapaxes(1, 2), dy)"),
    ],
)
def batched_product():
    def forward(A, B, c):
        return np.matmul(A, B) + c, (A, B)

    def backward(dy, cache):
        A, B = cache
        dA = np.matmul(dy, B.swapaxes(1, 2))
        dB = np.matmul(A.swapaxes(1, 2), dy)
        return dA, dB, dy.sum((0, 2))[:, None]

    return forward, backward, lambda A, B, c: A @ B + c


@case(
    "numpy",
    [(5, 3)],
    [(3, 2)],
    slips=[
        ("the first sample taken off", "dxc - dxc.mean(0)", "dxc - dxc[0]"),
        ("not made symmetric", "(dy + dy.T)", "(2 * dy)"),
        ("divided by n", "/ (n - 1)\n        return dxc", "/ n\n        return dxc"),
        ("half", "(dy + dy.T)", "dy"),
        ("the diagonal's part alone", "xc @ (dy + dy.T)", "2 * xc * np.diag(dy)"),
    ],
)
def covariance():
    def forward(x):
        xc = x - x.mean(0)
        return xc.T @ xc / (len(x) - 1), xc

    def backward(dy, xc):
        n = len(xc)
        dxc = xc @ (dy + dy.T) / (n - 1)
        return dxc - dxc.mean(0)

    return forward, backward, lambda x: torch.cov(x.T).reshape(x.shape[1], x.shape[1])
