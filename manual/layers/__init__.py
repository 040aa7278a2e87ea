"""The layers: one file a layer, forward and backward under each other; nothing that trains or knows a network."""
