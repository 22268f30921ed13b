"""The one error type that is shown to users without a traceback."""


class UserError(Exception):
    """Something the user can mend: the message names the file or key, what is wrong, and what to do."""
