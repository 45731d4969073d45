//! Journeys across services against the real binary.
