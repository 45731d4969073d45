//! The desktop test bench: a whole service in memory, in milliseconds, on the real engine code.
