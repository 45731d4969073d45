//! What every engine of records does alike, case by case on each of them, and what only one of them has to do.

mod away;
mod batches;
mod clockwork;
mod flows;
mod lanes;
mod letters;
mod limits;
mod once;
mod postgres;
mod proxy;
mod stage;
mod start;
mod tls;

/// Makes a module for each engine with one test per case.
macro_rules! on_both_engines {
    ($($part:ident :: $case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$part::$case(crate::stage::Engine::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$part::$case(crate::stage::Engine::Postgres).await;
            })+
        }
    };
}

on_both_engines! {
    batches::a_batch_is_all_or_nothing,
    batches::every_expectation_is_kept,
    batches::what_a_batch_finds_out_comes_back,
    batches::reads_together_see_one_moment,
    batches::a_guarded_stock_is_never_oversold,
    batches::values_come_back_as_they_were,
    batches::a_tenant_sees_its_own_rows,
    batches::a_statement_of_another_service_is_refused,
    lanes::messages_of_one_key_keep_their_order_among_competing_consumers,
    lanes::a_lane_is_taken_by_one_at_a_time,
    lanes::a_message_is_settled_only_behind_the_one_before_it,
    lanes::what_is_taken_behind_a_message_that_fails_is_taken_anew,
    lanes::what_is_settled_twice_is_stale_and_changes_nothing,
    lanes::what_is_settled_twice_is_stale_whatever_else_is_wrong,
    lanes::targets_take_turns,
    lanes::a_busy_target_is_left_alone,
    lanes::attempts_are_counted_when_they_begin,
    lanes::a_message_with_a_time_waits_and_holds_up_nobody,
    lanes::an_id_of_the_future_or_one_that_is_repeated_changes_no_order,
    lanes::a_sole_message_is_there_once,
    lanes::an_event_stays_in_the_log_and_a_message_goes,
    lanes::the_log_is_read_on_from_a_position,
    lanes::what_is_past_its_time_is_swept,
    letters::a_dead_letter_is_put_back_with_its_attempts_from_the_beginning,
    letters::a_held_lane_waits_until_its_letter_is_put_back,
    letters::a_held_lane_goes_on_when_its_letter_is_thrown_away,
    letters::letters_are_chosen_and_paged,
    letters::queues_tell_what_waits,
    flows::a_run_is_started_once,
    flows::a_run_is_known_with_what_happened_to_it,
    flows::an_answer_that_does_not_fit_leaves_its_message_in_hand,
    limits::a_batch_may_be_as_large_as_it_may,
    limits::texts_keys_and_messages_may_be_as_long_as_they_may,
    limits::numbers_stop_where_they_end,
    limits::a_text_with_nul_is_the_callers_mistake,
    limits::a_message_may_say_nul,
    limits::a_text_that_is_too_long_for_an_index_is_the_callers_mistake,
    limits::a_later_index_has_its_limit_too,
    once::what_comes_again_changes_nothing,
    once::of_many_at_once_one_takes_effect,
    once::a_key_is_forgotten_when_its_time_is_over,
    once::an_answer_need_not_be_kept,
    start::a_migration_that_was_changed_is_refused,
    start::a_statement_stays_within_the_tables_of_its_service,
    start::a_migration_makes_only_the_tables_of_its_service,
    start::what_is_committed_is_there_when_it_is_opened_again,
    start::texts_are_sorted_as_bytes,
}
