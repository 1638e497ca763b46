//! A planted divergence: the fault that the comparison of hashes must find.

use crate::core::types::ComponentId;
use crate::ffi::boundary::boundary;
use crate::ffi::error::Error;
use crate::ffi::session::theta_session;
use crate::ffi::side::Session;
use crate::ffi::status::*;

/// Makes a joined session hold something else than its host: one bit of one field is flipped in the entity whose values
/// have rested for longest, where only the comparison of hashes can find it. Within a few round trips the host reports
/// THETA_EVENT_DIVERGED with the component and the field, and repairs the session, which reports THETA_EVENT_REPAIRED;
/// until then its frames are wrong in that one value. For tests of what a game does then.
///
/// `session`: a joined one that is live. `component`, `field`: what to spoil; a field of fixed size (no list, text or
/// bytes). It happens soon after the call, and only if an entity has the component.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_COMPONENT_UNKNOWN,
/// THETA_E_FIELD_UNKNOWN, THETA_E_RANGE (the field's size varies), THETA_E_STATE (not live), THETA_E_DISCONNECTED,
/// THETA_E_LIMIT (too many requests wait), THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn thetax_session_plant_divergence(
    session: theta_session,
    component: u64,
    field: u32,
) -> theta_status {
    boundary!(thetax_session_plant_divergence, {
        let mut session = Session::open(session.bits)?;
        let (session, state) = session.parts();
        let schema = &session.shared.schema;
        let index =
            schema.index_of(ComponentId(component)).ok_or(Error::ComponentUnknown { id: component })?;
        let owner = schema.component(index);
        let found = owner.fields.iter().find(|known| u32::from(known.desc.id) == field);
        let found = found.ok_or_else(|| Error::FieldUnknown { component: owner.name().to_owned(), field })?;
        if found.lanes.first().is_none_or(|lane| lane.max == 0) {
            let what = format!("field {field} of {} has no fixed bits that could be flipped", owner.name());
            return Err(Error::Argument { what });
        }
        state.joined()?.plant_divergence(ComponentId(component), found.desc.id)?;
        Ok(THETA_OK)
    })
}
