//! The checks, a file a chapter. Each is a sentence that holds on every target.

mod clients;
mod encryption;
mod login;
mod objects;
mod persistence;
mod processes;
mod sessions;
mod signing;

use crate::target::Need;
use crate::token::Token;
use anyhow::Result;

/// One check.
pub struct Check {
    /// The sentence.
    pub name: &'static str,
    /// What it needs of the target.
    pub needs: &'static [Need],
    /// Processes, one after the other; between two of them the target is killed and started again.
    pub phases: &'static [fn(&Token) -> Result<()>],
}

/// Shorthand for the table below.
const fn check(name: &'static str, needs: &'static [Need], phases: &'static [fn(&Token) -> Result<()>]) -> Check {
    Check { name, needs, phases }
}

/// Every check.
pub const CHECKS: &[Check] = &[
    check("openssl_verifies_p256", &[], &[signing::p256]),
    check("openssl_verifies_p384", &[Need::P384], &[signing::p384]),
    check("openssl_verifies_what_the_token_hashed", &[Need::HashedEcdsa], &[signing::hashed]),
    check("the_module_verifies_and_refuses", &[], &[signing::verifies_and_refuses]),
    check("many_threads_sign", &[], &[signing::threads]),
    check("hmac_verifies_and_refuses", &[], &[signing::hmac]),
    check("gcm_round_trips", &[], &[encryption::round_trip]),
    check("gcm_takes_bulk_in_one_call", &[Need::Bulk], &[encryption::bulk]),
    check("gcm_refuses_what_was_altered", &[], &[encryption::altered]),
    check("digests_are_openssls", &[], &[encryption::digests]),
    check("random_does_not_repeat", &[], &[encryption::random]),
    check("objects_are_found_and_destroyed", &[], &[objects::find]),
    check("attributes_say_what_was_asked", &[], &[objects::attributes]),
    check("a_sensitive_key_is_not_readable", &[], &[objects::sensitive]),
    check("private_objects_need_a_login", &[], &[objects::private]),
    check("a_key_does_only_what_it_may", &[], &[objects::purpose]),
    check("session_objects_end_with_the_session", &[], &[sessions::session_objects]),
    check("many_sessions_open_and_close", &[], &[sessions::many]),
    check("a_wrong_pin_is_refused", &[], &[login::wrong_pin]),
    check("a_second_login_says_so", &[], &[login::twice]),
    check("logout_ends_key_use", &[], &[login::logout]),
    check("the_user_changes_the_pin", &[], &[login::change]),
    check("wrong_pins_lock_and_the_officer_unlocks", &[Need::Lockout], &[login::lockout]),
    check("the_lock_survives_a_restart", &[Need::Lockout], &[login::lock, login::still_locked]),
    check("keys_survive_a_kill", &[], &[persistence::make, persistence::use_again]),
    check("the_module_outlives_its_server", &[Need::Server], &[persistence::reconnect]),
    check("a_login_outlives_its_server", &[Need::Server, Need::Clock], &[persistence::go_on]),
    check("two_processes_share_a_token", &[Need::Processes, Need::LiveView], &[processes::share]),
    check("what_two_processes_made_is_kept", &[Need::Processes], &[processes::make, processes::find_made]),
    check("a_login_is_not_inherited", &[Need::Processes], &[processes::login_is_mine]),
    check("pkcs11_tool_finds_no_error", &[Need::Clients], &[clients::pkcs11_tool]),
    check("pkcs11_tool_signs_with_ecdsa_and_sha1", &[Need::Clients], &[clients::pkcs11_tool_ec]),
    check("openssl_serves_with_a_key_in_the_token", &[Need::Clients], &[clients::openssl::serves]),
    check("gnutls_signs_with_the_token", &[Need::Clients], &[clients::gnutls::signs]),
    check("java_keeps_its_keys_in_the_token", &[Need::Clients], &[clients::java::keeps_keys]),
    check("java_signs_agrees_and_encrypts_with_the_token", &[Need::Clients], &[clients::java::runs_the_example]),
    check("cryptsetup_opens_with_a_key_in_the_token", &[Need::Clients], &[clients::cryptsetup::opens_a_volume]),
    check("oracle_tde_keeps_its_master_key", &[Need::Processes], &[clients::oracle::make, clients::oracle::open]),
    check("openssh_logs_in_and_certifies_with_the_token", &[Need::Clients], &[clients::ssh::works]),
    check("nginx_serves_and_reloads_with_the_token", &[Need::Clients], &[clients::nginx::serves]),
    check("nss_keeps_certificates_in_the_token", &[Need::Clients], &[clients::nss::keeps_certificates]),
    check("the_examples_in_python_work", &[Need::Clients], &[clients::python::examples_work]),
    check("the_example_in_c_works", &[Need::Clients], &[clients::examples::c]),
    check("the_example_in_rust_works", &[Need::Clients], &[clients::examples::rust]),
    check("p11bench_measures_every_operation", &[Need::Clients], &[clients::p11bench::measures]),
    check("p11bench_overlaps_signatures", &[Need::Clients, Need::Server], &[clients::p11bench::overlaps]),
    check("a_forked_child_starts_over", &[Need::Processes, Need::Fork], &[processes::fork]),
];
