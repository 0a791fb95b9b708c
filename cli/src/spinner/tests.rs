use super::*;

/// What is seen of work that lasts so many milliseconds.
async fn seen(is_terminal: bool, milliseconds: u64) -> String {
    let mut seen = Vec::new();
    let work = async {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        7
    };
    let done = around(&mut Screen::new(&mut seen, is_terminal), "reading", work).await;
    assert_eq!(done, 7);
    String::from_utf8(seen).unwrap()
}

#[tokio::test(start_paused = true)]
async fn work_that_lasts_is_told_of_on_a_terminal_and_the_line_is_empty_afterwards() {
    assert_eq!(
        seen(true, 1_250).await,
        "\r⠋ reading …\r⠙ reading …\r⠹ reading …\r\x1b[K"
    );
    let long = seen(true, 2_050).await;
    assert_eq!(long.matches("reading").count(), 11);
    assert!(long.ends_with("\r⠏ reading …\r⠋ reading …\r\x1b[K"), "{long:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_done_within_a_second_and_what_nobody_looks_at_is_not_told_of() {
    assert_eq!(seen(true, 990).await, "");
    assert_eq!(seen(false, 60_000).await, "");
}
