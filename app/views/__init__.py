"""Pure functions from traces to what a component shows. No tensors, no colours of their own."""
