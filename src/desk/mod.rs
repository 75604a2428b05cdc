//! Agents, queues and routing: one machine for all calls.
