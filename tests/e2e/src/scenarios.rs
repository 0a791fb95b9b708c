//! The scenarios, by area.

mod addresses;
mod announce;
mod cli;
mod conflict;
mod contention;
mod dashboard;
mod drain;
mod faults;
mod gateway;
mod guide;
mod helm;
mod install;
mod keys;
mod kustomize;
mod lifecycle;
mod metallb;
mod metrics;
mod ownership;
mod paths;
mod replicas;
mod rules;
mod segments;
mod standby;
mod states;
mod stuck;
mod takeover;

use crate::runner::{Scenario, Stage};

/// Writes one row of the table: the scenario's name is its function's.
macro_rules! scenario {
    ($stage:ident, $area:ident :: $name:ident) => {
        Scenario {
            name: stringify!($name),
            stage: Stage::$stage,
            prepare: None,
            run: |cluster| Box::pin($area::$name(cluster)),
        }
    };
    ($stage:ident, $area:ident :: $name:ident, after $prepare:path) => {
        Scenario {
            prepare: Some(|| Box::pin($prepare())),
            ..scenario!($stage, $area::$name)
        }
    };
}

/// Every scenario, in the order in which they run.
pub fn all() -> Vec<Scenario> {
    vec![
        scenario!(Bare, install::invalid_objects_are_rejected_without_us),
        scenario!(Bare, install::webhook_left_behind_blocks_nothing),
        scenario!(Bare, install::pools_right_after_install),
        scenario!(Bare, install::k3s_applies_its_files_in_any_order),
        scenario!(Bare, kustomize::kustomize_overlays_serve),
        scenario!(Bare, guide::quick_start_as_written),
        scenario!(Bare, gateway::microk8s_addon),
        scenario!(
            Bare,
            gateway::traefik_with_gateway_api,
            after gateway::prepare
        ),
        scenario!(Bare, helm::helm_release_keeps_pools_and_addresses),
        scenario!(Bare, helm::helm_upgrade_of_metallb_keeps_pools_and_addresses),
        scenario!(Bare, metallb::metallb_is_taken_over_and_comes_back),
        scenario!(
            Bare,
            metallb::metallb_applied_server_side_is_taken_over_and_comes_back
        ),
        scenario!(Installed, install::processes_may_do_little),
        scenario!(Installed, addresses::external_ip_answers),
        scenario!(Installed, addresses::twelfth_service_waits_for_a_free_address),
        scenario!(Installed, addresses::requested_addresses),
        scenario!(Installed, addresses::foreign_address_is_replaced),
        scenario!(Installed, rules::rules_of_assignment),
        scenario!(Installed, states::configuration_states_say_what_is_wrong),
        scenario!(Installed, announce::ipv6_through_ndp),
        scenario!(Installed, announce::no_ready_endpoints),
        scenario!(Installed, announce::local_traffic_policy),
        scenario!(Installed, announce::advertisement_selectors),
        scenario!(Installed, announce::bgp_peer_is_told),
        scenario!(Installed, conflict::address_conflict_with_another_host),
        scenario!(Installed, cli::cli_says_why),
        scenario!(Installed, cli::cli_finds_and_plans),
        scenario!(Installed, cli::cli_shows_failovers),
        scenario!(Installed, lifecycle::pool_deleted_keeps_addresses),
        scenario!(Installed, lifecycle::controller_restart_moves_nothing),
        scenario!(Installed, lifecycle::applied_again_changes_no_address),
        scenario!(Installed, lifecycle::our_upgrade_and_reinstall_keep_addresses),
        scenario!(Installed, metrics::metrics_are_for_those_who_may),
        scenario!(
            Installed,
            dashboard::dashboard_has_data,
            after dashboard::prepare
        ),
        scenario!(Installed, contention::same_address_in_one_instant),
        scenario!(Installed, contention::garbage_in_annotations),
        scenario!(Installed, contention::status_written_by_somebody_else),
        scenario!(Installed, takeover::running_metallb_controller_is_waited_for),
        scenario!(Installed, takeover::running_metallb_speaker_is_waited_for),
        scenario!(Installed, faults::slow_api_server),
        scenario!(Installed, faults::refusing_api_server),
        scenario!(Installed, faults::deleted_while_its_write_is_in_flight),
        scenario!(Installed, standby::standby_takes_over_at_once),
        scenario!(Installed, replicas::leader_killed_ten_times),
        scenario!(Installed, faults::api_server_killed),
        scenario!(Installed, faults::api_server_paused),
        scenario!(Installed, ownership::restarts_of_speakers_move_nothing),
        scenario!(Installed, ownership::an_excluded_node_gives_its_address_away),
        scenario!(Installed, drain::drained_and_shutting_down_nodes),
        scenario!(Installed, drain::cordoned_node_is_drained_where_that_is_asked_for),
        scenario!(Installed, keys::key_is_changed_in_three_steps),
        scenario!(Installed, keys::speaker_without_a_key_waits),
        scenario!(Installed, ownership::restarts_without_the_api_server),
        scenario!(Installed, ownership::owner_cut_off),
        scenario!(Installed, ownership::owner_whose_answers_are_lost),
        scenario!(Installed, stuck::owner_whose_thread_is_stuck),
        scenario!(Installed, paths::one_direction_between_two_nodes_is_found),
        scenario!(Single, announce::one_node_and_the_exclude_label),
        scenario!(TwoSegments, segments::owner_without_carrier),
        scenario!(TwoSegments, segments::owner_without_speaker_on_a_second_segment),
        scenario!(TwoSegments, paths::standby_without_carrier_is_told_of),
    ]
}
