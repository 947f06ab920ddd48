"""Leave-a-message forms: what is asked, which mode holds, and what becomes of a form that was sent."""
