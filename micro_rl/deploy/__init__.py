"""A policy on its way to where it acts: exported as one file of Python, as C for a controller, or as ONNX."""
