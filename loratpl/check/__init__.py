"""Dataset × settings → problems, found before the GPU is used."""
