"""Figures and the page of an inspection."""
