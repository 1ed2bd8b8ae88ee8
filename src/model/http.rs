//! The little of HTTP/1.1 that a peer on loopback speaks: request heads, plain response heads and chunks.
//!
//! Pure: bytes in, values out. Sockets are the business of the connection. What is not understood is refused and
//! never guessed at, because a wrong guess about a body's length would read one request as two.

use std::fmt::Write as _;

/// The longest request head in bytes. Codex 0.169.0 sends about 2 kB; its turn metadata grows with the workspaces.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The longest request body in bytes. The largest prompt that codex accepts is 1 MiB of characters; a thread that
/// is resumed sends its whole history again.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// The most header lines in one request, so that a head of one-byte headers stays cheap.
pub const MAX_HEADERS: usize = 100;

/// The parsed head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The method as sent, such as `POST`.
    pub method: String,
    /// The request target as sent, with its query.
    pub target: String,
    /// Header names in lower case with their trimmed values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body that follows, at most [`MAX_BODY_BYTES`].
    pub body_bytes: usize,
    /// Whether the client wants the connection to stay open after the response.
    pub keep_alive: bool,
}

impl Head {
    /// Returns the target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the first value of the header called `name`, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// Why a request head is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The head does not end within [`MAX_HEAD_BYTES`], or has more than [`MAX_HEADERS`] headers.
    #[error("the request head is too large")]
    HeadTooLarge,
    /// The first line is not `METHOD TARGET HTTP/1.x`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A header line has no name, a name with other characters than a token's, or is folded.
    #[error("a header line is malformed")]
    HeaderLine,
    /// The length is not one decimal number.
    #[error("the content length is malformed")]
    ContentLength,
    /// The body has no announced length. No peer sends one: their HTTP clients know the length of a JSON body.
    #[error("a transfer encoding is not supported")]
    TransferEncoding,
    /// The announced body is longer than [`MAX_BODY_BYTES`].
    #[error("the request body is too large")]
    BodyTooLarge,
}

impl HeadError {
    /// Returns the HTTP status that tells the client.
    pub fn status(&self) -> u16 {
        match self {
            Self::HeadTooLarge => 431,
            Self::RequestLine | Self::HeaderLine | Self::ContentLength => 400,
            Self::TransferEncoding => 411,
            Self::BodyTooLarge => 413,
        }
    }
}

/// Parses the head at the start of `bytes` and returns it with its length in bytes.
///
/// `Ok(None)` means that the head is not complete yet.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
    let searched = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
    let Some(end) = find_head_end(searched) else {
        if bytes.len() >= MAX_HEAD_BYTES {
            return Err(HeadError::HeadTooLarge);
        }
        return Ok(None);
    };
    // Header values may carry bytes that are not UTF-8; they are kept readable instead of refusing the request.
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let (method, target, minor) = parse_request_line(lines.next().unwrap_or_default())?;
    let mut headers = Vec::new();
    for line in lines {
        if headers.len() == MAX_HEADERS {
            return Err(HeadError::HeadTooLarge);
        }
        headers.push(parse_header_line(line)?);
    }
    let body_bytes = parse_body_bytes(&headers)?;
    let connection = find(&headers, "connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let keep_alive = if minor == 0 {
        connection == "keep-alive"
    } else {
        connection != "close"
    };
    let head = Head {
        method,
        target,
        headers,
        body_bytes,
        keep_alive,
    };
    Ok(Some((head, end + HEAD_END.len())))
}

/// Writes the head of a response with `headers` in their order.
///
/// Bytes that would break the head apart (line ends) are left out of names and values.
pub fn write_head(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        let _ = write!(head, "{}: {}\r\n", one_line(name), one_line(value));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Writes one chunk of a chunked body. Empty data gives no bytes at all, since an empty chunk would end the body.
pub fn write_chunk(data: &[u8]) -> Vec<u8> {
    if data.is_empty() {
        return Vec::new();
    }
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The chunk that ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

const HEAD_END: &[u8] = b"\r\n\r\n";

fn find_head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(HEAD_END.len())
        .position(|window| window == HEAD_END)
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn parse_request_line(line: &str) -> Result<(String, String, u8), HeadError> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HeadError::RequestLine);
    };
    let minor = match version {
        "HTTP/1.1" => 1,
        "HTTP/1.0" => 0,
        _ => return Err(HeadError::RequestLine),
    };
    if !is_token(method) || target.is_empty() || target.contains(|c: char| c.is_control()) {
        return Err(HeadError::RequestLine);
    }
    Ok((method.to_owned(), target.to_owned(), minor))
}

fn parse_header_line(line: &str) -> Result<(String, String), HeadError> {
    let (name, value) = line.split_once(':').ok_or(HeadError::HeaderLine)?;
    if !is_token(name) || value.contains(['\r', '\n', '\0']) {
        return Err(HeadError::HeaderLine);
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn parse_body_bytes(headers: &[(String, String)]) -> Result<usize, HeadError> {
    if find(headers, "transfer-encoding").is_some() {
        return Err(HeadError::TransferEncoding);
    }
    let mut lengths = headers
        .iter()
        .filter(|(name, _)| name == "content-length")
        .map(|(_, value)| value);
    let Some(length) = lengths.next() else {
        return Ok(0);
    };
    if lengths.next().is_some() || length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HeadError::ContentLength);
    }
    // Digits that do not fit the type are a length beyond every limit, not a malformed one.
    match length.parse::<usize>() {
        Ok(bytes) if bytes <= MAX_BODY_BYTES => Ok(bytes),
        Ok(_) | Err(_) => Err(HeadError::BodyTooLarge),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\r' | '\n' | '\0'))
        .collect()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(request: &str, expected: Result<Option<(&str, &str, usize, bool)>, HeadError>) {
        let found = parse_head(request.as_bytes()).map(|parsed| {
            parsed.map(|(head, _)| {
                (
                    head.method.clone(),
                    head.path().to_owned(),
                    head.body_bytes,
                    head.keep_alive,
                )
            })
        });
        let expected = expected.map(|parsed| {
            parsed.map(|(method, path, bytes, keep)| (method.to_owned(), path.to_owned(), bytes, keep))
        });
        assert_eq!(found, expected, "{request:?}");
    }

    #[test]
    fn a_head_is_parsed_or_refused_for_a_named_reason() {
        check(
            "GET /v1/models?a=b HTTP/1.1\r\nhost: x\r\n\r\n",
            Ok(Some(("GET", "/v1/models", 0, true))),
        );
        check(
            "POST /r HTTP/1.1\r\nContent-Length: 12\r\n\r\n",
            Ok(Some(("POST", "/r", 12, true))),
        );
        check(
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
            Ok(Some(("GET", "/", 0, false))),
        );
        check("GET / HTTP/1.0\r\n\r\n", Ok(Some(("GET", "/", 0, false))));
        check(
            "GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n",
            Ok(Some(("GET", "/", 0, true))),
        );
        check("GET / HTTP/1.1\r\nhost", Ok(None));
        check("", Ok(None));
        check("GET /\r\n\r\n", Err(HeadError::RequestLine));
        check("GET / HTTP/2\r\n\r\n", Err(HeadError::RequestLine));
        check("G(T / HTTP/1.1\r\n\r\n", Err(HeadError::RequestLine));
        check("GET / HTTP/1.1\r\nno colon\r\n\r\n", Err(HeadError::HeaderLine));
        check(
            "GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n",
            Err(HeadError::HeaderLine),
        );
        check(
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            Err(HeadError::ContentLength),
        );
        check(
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            Err(HeadError::ContentLength),
        );
        check(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            Err(HeadError::TransferEncoding),
        );
        check(
            "POST / HTTP/1.1\r\ncontent-length: 67108865\r\n\r\n",
            Err(HeadError::BodyTooLarge),
        );
        check(
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
            Err(HeadError::BodyTooLarge),
        );
    }

    #[test]
    fn a_head_without_an_end_is_refused_at_its_limit() {
        let endless = vec![b'a'; MAX_HEAD_BYTES];
        assert_eq!(parse_head(&endless[..MAX_HEAD_BYTES - 1]), Ok(None));
        assert_eq!(parse_head(&endless), Err(HeadError::HeadTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parse_head(many.as_bytes()), Err(HeadError::HeadTooLarge));
    }

    #[test]
    fn a_response_head_cannot_be_split_by_a_value() {
        let head = write_head(429, &[("retry-after".to_owned(), "1\r\nx: y".to_owned())]);
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1x: y\r\n\r\n"
        );
    }

    /// Reads a chunked body back, strictly.
    fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = bytes.windows(2).position(|window| window == b"\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
            bytes = &bytes[end + 2..];
            if size == 0 {
                return (bytes == b"\r\n").then_some(body);
            }
            body.extend_from_slice(bytes.get(..size)?);
            bytes = bytes.get(size..)?.strip_prefix(b"\r\n")?;
        }
    }

    fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
        proptest::collection::vec(("x-[a-z0-9-]{1,12}", "[!-~]([ -~]{0,30}[!-~])?"), 0..20)
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..400)
        ) {
            let _ = parse_head(&bytes);
        }

        #[test]
        fn a_written_request_is_read_back_whole_and_no_prefix_of_it_is_a_request(
            headers in headers(), body in 0_usize..1000, cut in any::<prop::sample::Index>()
        ) {
            let mut text = String::from("POST /v1/responses HTTP/1.1\r\n");
            let mut sent = headers;
            sent.push(("content-length".to_owned(), body.to_string()));
            for (name, value) in &sent {
                let _ = write!(text, "{name}:  {value} \r\n");
            }
            text.push_str("\r\n");
            let (head, length) = parse_head(text.as_bytes()).unwrap().unwrap();
            prop_assert_eq!(length, text.len());
            prop_assert_eq!(head.headers, sent);
            prop_assert_eq!(head.body_bytes, body);
            prop_assert_eq!(parse_head(&text.as_bytes()[..cut.index(text.len())]), Ok(None));
        }

        #[test]
        fn chunks_carry_exactly_the_bytes_they_were_given(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)
        ) {
            let mut wire: Vec<u8> = pieces.iter().flat_map(|piece| write_chunk(piece)).collect();
            wire.extend_from_slice(LAST_CHUNK);
            prop_assert_eq!(unchunk(&wire), Some(pieces.concat()));
        }
    }
}
