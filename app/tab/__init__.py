"""The page whose model runs in the visitor's browser: what the browser downloads, and where it finds it."""
