"""The faults, family by family. Each is a function of the world, a source of chance and a time."""
