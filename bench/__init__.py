"""Measures what the gate costs beside bare nginx, in one sitting on one machine."""
