//! Faults: whom they befall, and what they do.

mod choice;
mod connection;
mod delivery;
mod documented;
mod elsewhere;
mod http1_0;
mod lazy;
mod seen;
mod stream;
mod unplayed;
mod whole;
