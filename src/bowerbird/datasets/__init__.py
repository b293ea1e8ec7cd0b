"""Public data sets and anybody's own files, read into the standard input columns.

``tables`` reads files, ``standard`` checks them row by row, ``images`` finds pictures, and one module
per public data set knows its published form.
"""
