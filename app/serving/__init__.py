"""What the pages share: models, stores, uploads, values, look."""
