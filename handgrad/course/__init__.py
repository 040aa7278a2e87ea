"""The lectures: their numbers beside ours and autograd's, their mistakes in print; never a judgement of its own."""
