"""The twin of each layer of manual, under the same file name, differentiated by autograd; no backward pass by hand."""
