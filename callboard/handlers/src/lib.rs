//! Handlers around dispatch that need a library or IO: authentication by session.
