"""Training, export and measuring of the expression CNN; train and export need the extra ``training``."""
