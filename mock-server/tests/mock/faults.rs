//! Faults: whom they befall, and what they do.

mod choice;
