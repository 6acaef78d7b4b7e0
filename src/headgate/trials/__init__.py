"""Trials that drive the running product from outside and judge it by the rehearsal's meter."""
