"""An ordinary torch training script; then two of its lines changed: the same curve, from gradients derived by hand.

python examples/drop_in.py
"""

import torch
from torch import nn

import manual
from handgrad import verify
from handgrad.experiment.datasets.digits import digits
from torch_ref import HandModule, from_torch

X, T = torch.tensor(digits().x, dtype=torch.float32), torch.tensor(digits().labels)


def train(model: nn.Module, criterion: nn.Module) -> list[float]:
    """Nothing in here knows which of the two it trains."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    order, curve = torch.Generator().manual_seed(0), []
    for _ in range(200):
        batch = torch.randint(len(X), (64,), generator=order)
        optimizer.zero_grad()
        loss = criterion(model(X[batch]), T[batch])
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return curve


if __name__ == "__main__":
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    autograd = train(plain, nn.CrossEntropyLoss())

    torch.manual_seed(0)
    hand = HandModule(network := manual.mlp([64, 32, 10], "tanh"))  # the model line
    by_hand = train(hand, HandModule(loss := manual.SoftmaxCrossEntropy()))  # the loss line

    print("step   autograd     by hand")
    for step in (0, 1, 10, 50, 100, 199):
        print(f"{step:4}  {autograd[step]:.7f}  {by_hand[step]:.7f}")
    hand.load_state_dict(plain.state_dict())  # checkpoints go both ways

    params = from_torch(network, hand.state_dict(), xp=torch)  # judged on the module's own tensors
    report = verify(network, params, X[:64], T[:64], loss, seed=0, name="the trained network")
    print(f"its gradients: {report.verdict.value}")
