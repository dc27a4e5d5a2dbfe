"""What the whole suite shares."""

import hypothesis

# A busy machine is not a fault: no test judges by the clock.
hypothesis.settings.register_profile("ircase", deadline=None)
hypothesis.settings.load_profile("ircase")
