"""Fast layers of Llama's layout: for inference, for training, and for slots near the end of the target."""
