"""Finds the packages: those within dynred/, and systems/, which is installed as dynred.systems."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["dynred", "dynred.*"]), "dynred.systems"])
