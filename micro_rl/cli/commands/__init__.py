"""The command's verbs: one file each, with what it takes (dataclasses) and `run(arguments)`.

A verb's file imports what is heavy inside its functions, so that `--help` answers at once.
"""
