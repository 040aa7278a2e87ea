"""HandModule: hand-derived backward passes as torch modules; nothing that autograd differentiates by itself."""
