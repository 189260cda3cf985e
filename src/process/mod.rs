//! Child process groups that never outlive us: guardian, bounded output, kill.
