"""People: accounts, sign-in, second factors, sessions, teams and the policies for them."""
