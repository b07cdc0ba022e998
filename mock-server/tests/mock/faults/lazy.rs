//! A fault of a long answer takes no more memory than the answer: its pieces are made when they are due.

use relaybench_clock::{run_virtual, sleep};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{KEY, connect, ms, request, server};

/// So many bytes are resident in memory.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    const PAGE: usize = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE
}

#[cfg(target_os = "linux")]
#[test]
fn streams_that_are_slow_do_not_hold_what_they_have_not_sent() {
    // 250,000 events of 230 bytes each: all of ten such streams take 790 MB, and these took 28 MB. Other tests run beside this one, so
    // that the bound lies between.
    const STREAMS: usize = 10;
    const BOUND: usize = 200 << 20;
    run_virtual(async {
        let server = server("completion.content = \"echo\"\nlimits.body_bytes = 2_000_000");
        let words = "word ".repeat(200_000);
        let body = format!(r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":"{words}"}}],"stream":true}}"#);
        let before = resident();
        let mut slow = Vec::new();
        for _ in 0..STREAMS {
            let asking = request("POST", "/v1/chat/completions", &format!("{KEY}x-mock-fault: drip=1\r\n"), &body);
            let (mut reader, mut writer) = tokio::io::split(connect(&server));
            tokio::spawn(async move { writer.write_all(&asking).await });
            let mut head = [0; 100];
            reader.read_exact(&mut head).await.unwrap();
            assert!(head.starts_with(b"HTTP/1.1 200 OK"));
            slow.push(reader);
        }
        sleep(ms(1)).await;
        let grown = resident().saturating_sub(before);
        assert!(grown < BOUND, "{STREAMS} slow streams take {grown} bytes");
    });
}
