//! The capabilities of a process that confines a script: kept until the machine is set up, then given away for good.

use rustix::io;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

/// Lets the program that is started next have the capabilities of this one.
pub(super) fn keep_over_exec() -> io::Result<()> {
    let sets = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: sets.permitted, ..sets })?;
    known(sets.permitted).try_for_each(|capability| configure_capability_in_ambient_set(capability, true))
}

/// Gives every capability away, so that no program that is started from here has one, whatever its file says.
pub(super) fn give_away() -> io::Result<()> {
    clear_ambient_capability_set()?;
    // Those that the kernel has no name for are refused, and are not there to be removed.
    for capability in known(CapabilitySet::from_bits_retain(u64::MAX)) {
        let _ = remove_capability_from_bounding_set(capability);
    }
    let nothing = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing })?;
    set_no_new_privs(true)
}

fn known(set: CapabilitySet) -> impl Iterator<Item = CapabilitySet> {
    let each = (0..64).map(|number| CapabilitySet::from_bits_retain(1 << number));
    each.filter(move |capability| set.contains(*capability))
}
