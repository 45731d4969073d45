//! The least that a Runtime API can be: one connection, one invocation after the other, no limits, no sandbox. The peer.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// An event as ours are, so that the client has the same to read and to write.
const EVENT: &[u8] = br#"{"id":"0192f0c1-2b7e-7cc3-98c4-dc0c0c07398f","source":"cli","type":"post","uri":"/echo","time_ms":1773119783000,"tenant":"only","principal":{"kind":"nobody","roles":[]},"correlation":"0192f0c1-2b7e-7cc3-98c4-dc0c0c07398f","attempt":1,"params":{},"query":{},"data":{"name":"Ada"}}"#;
/// As large as the one that says how to read.
const CONTEXT: &str = r#"{"custom":{"callboard_token":"7Fjfp0ZBr1KtDRbnfVdmIw7Fjfp0ZBr1KtDRbnfVdmIw"}}"#;

/// A client that runs, and waits for work.
pub(crate) struct Stub {
    listener: TcpListener,
    stream: Option<BufReader<TcpStream>>,
    _child: Child,
}

impl Stub {
    /// Starts the client.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) async fn start(program: &str, args: &[&str], folder: &Path) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
        let mut command = Command::new(program);
        command.args(args).current_dir(folder).env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_REGION", "local");
        command.env("AWS_LAMBDA_FUNCTION_NAME", "echo").env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").env("LAMBDA_TASK_ROOT", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
        Ok(Self { listener, stream: None, _child: child })
    }

    /// Hands out work, and takes the answer: the time between.
    ///
    /// # Errors
    /// Where the client does not answer.
    pub(crate) async fn call(&mut self) -> Result<Duration, String> {
        self.round().await.map_err(|error| format!("the client at the stub does not answer: {error}"))
    }

    async fn round(&mut self) -> std::io::Result<Duration> {
        self.request().await?;
        let start = Instant::now();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlambda-runtime-aws-request-id: 1\r\n\
             lambda-runtime-deadline-ms: 4102444800000\r\nlambda-runtime-invoked-function-arn: echo\r\n\
             lambda-runtime-client-context: {CONTEXT}\r\ncontent-length: {}\r\n\r\n",
            EVENT.len()
        );
        self.write(&[head.as_bytes(), EVENT].concat()).await?;
        self.request().await?;
        let time = start.elapsed();
        self.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await?;
        Ok(time)
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let stream = self.stream.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
        stream.get_mut().write_all(bytes).await
    }

    /// One request to its end, on the connection there is or a new one.
    async fn request(&mut self) -> std::io::Result<()> {
        loop {
            if self.stream.is_none() {
                let (stream, _) = self.listener.accept().await?;
                stream.set_nodelay(true)?;
                self.stream = Some(BufReader::new(stream));
            }
            let stream = self.stream.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
            let (mut line, mut length) = (String::new(), 0);
            let is_over = loop {
                line.clear();
                if stream.read_line(&mut line).await? == 0 {
                    break true;
                }
                if line == "\r\n" {
                    break false;
                }
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
            };
            if is_over {
                self.stream = None;
                continue;
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            return Ok(());
        }
    }
}
