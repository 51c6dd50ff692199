"""The commands besides `run`, which inspect and change the views of a running system.

Each can be interrupted at any time and repeated. Exit status: 0 done, 1 rejected or different,
2 usage error, 3 a server is unavailable. With --json, each line of the output is an object.
"""
