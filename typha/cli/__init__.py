"""The command line: one thin module per command, what they share beside them.

Here belongs how people and scripts talk to typha: options, tables, lines of JSON, exit codes (`exits`), errors of one
line and a hint. Forbidden: decisions about topics, configuration or the protocol (they are called, not made here), and
imports of a command's machinery before that command runs (`typha --help` loads no server).
"""
