use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::timeout;

use super::*;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A `COPY` of these rows: what the server sends, and what of it passes if they are taken.
fn copy(rows: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let (begin, end) = (message(b'H', &[1, 0, 1, 0, 1]), [message(b'c', b""), message(b'C', b"COPY\0")].concat());
    let sent: Vec<u8> = rows.iter().flat_map(|row| message(COPY_DATA, row)).collect();
    ([&begin[..], &sent, &end].concat(), [begin, end].concat())
}

/// What a client reads of a server that sends `sent` in pieces of at most `piece` bytes.
async fn read(sent: &[u8], piece: usize, rows: &Arc<Rows>) -> io::Result<Vec<u8>> {
    let (client, mut server) = duplex(piece);
    let mut client = Divert::of_messages(client, rows.clone());
    let sent = sent.to_vec();
    let sending = tokio::spawn(async move { server.write_all(&sent).await });
    let mut passed = Vec::new();
    client.read_to_end(&mut passed).await?;
    sending.await.expect("a server")?;
    Ok(passed)
}

#[tokio::test]
async fn rows_are_taken_and_the_rest_passes_however_it_is_cut() {
    let long = vec![7; 3 * READ];
    let (sent, rest) = copy(&[b"one", b"", &long, b"two"]);
    for piece in [1, 2, 5, 7, 64, 1 << 20] {
        let rows = Arc::new(Rows::default());
        rows.begin(b"0".to_vec(), usize::MAX);
        assert_eq!(read(&sent, piece, &rows).await.expect("messages"), rest, "in pieces of {piece}");
        assert_eq!(rows.end(), [&b"0one"[..], &long, b"two"].concat());
        assert_eq!(read(&sent, piece, &rows).await.expect("messages"), sent, "nobody wants the rows");
    }
}

#[tokio::test]
async fn a_message_without_a_length_is_an_error() {
    let error = read(&[b'd', 0, 0, 0, 3], 64, &Arc::default()).await.expect_err("no message");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn the_rest_waits_until_there_is_room() {
    let (sent, rest) = copy(&[&[1; 100], &[2; 100]]);
    let rows = Arc::new(Rows::default());
    rows.begin(Vec::new(), 100);
    let mut reading = Box::pin(read(&sent, 50, &rows));
    assert!(timeout(Duration::from_millis(50), &mut reading).await.is_err(), "it waits");
    rows.full().await;
    rows.make_room();
    assert_eq!(reading.await.expect("messages"), rest);
    assert_eq!(rows.end().len(), 200);
}

#[tokio::test]
async fn what_the_server_answers_decides_whether_messages_follow() {
    let (messages, rest) = copy(&[b"row"]);
    // What looks like messages may be TLS.
    for (answer, passes) in [(b'N', &rest), (b'S', &messages)] {
        let (client, mut server) = duplex(1 << 10);
        let rows = Arc::new(Rows::default());
        rows.begin(Vec::new(), usize::MAX);
        let mut client = Divert::new(client, rows);
        client.write_all(&SSL_REQUEST).await.expect("a server");
        let mut asked = [0; SSL_REQUEST.len()];
        server.read_exact(&mut asked).await.expect("a client");
        server.write_all(&[answer]).await.expect("a client");
        assert_eq!(client.read_u8().await.expect("an answer"), answer);
        client.write_all(b"startup").await.expect("a server");
        server.write_all(&messages).await.expect("a client");
        drop(server);
        let mut passed = Vec::new();
        client.read_to_end(&mut passed).await.expect("messages");
        assert_eq!(&passed, passes, "after {answer}");
    }
}
