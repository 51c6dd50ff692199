"""What queries over HTTP have in common: parameters, cursors, conditions, answers."""
