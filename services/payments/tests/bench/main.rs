//! Tips on the bench: the service's own code against the simulator of the payment service, with everything that can go wrong.

mod offers;
mod street;
mod tips;
mod troubles;
mod webhooks;
