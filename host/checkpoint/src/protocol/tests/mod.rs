//! Tests of the epoch protocol: a simulated world around it, at random and exhaustively, and with planted faults.

mod actions;
mod exhaustive;
mod job;
mod outside;
mod planted;
mod random;
mod rules;
mod world;
