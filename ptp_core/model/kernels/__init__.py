"""Fast layers of Llama's layout: for inference, for training, and for shallow slots."""
