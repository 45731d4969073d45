//! Functions in processes, put together: from `space.toml`, from the heads of files, or from code. They become one service.

use crate::declared::{Checked, Declared, leak};
use crate::documents::Documents;
use crate::function::{Foreign, Inner, Tails};
use crate::language::{self, Language};
use crate::logs::OnLine;
use crate::pool::Pool;
use crate::sandbox::{Policy, Protections, probe};
use crate::worker::Recipe;
use crate::{describe, head, reading};
use callboard::{Fault, Kind, Service};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::FileType;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How functions are run.
#[derive(Clone, Default)]
pub struct Options {
    /// The program that [is a sandbox](crate::sandbox::enter) when it is started as one; without it this very program.
    pub program: Option<PathBuf>,
    /// Whether callers hear what a function's author wants to know: for development.
    pub is_open: bool,
    /// Hears of every line that functions print; without it they are logged.
    pub on_line: Option<OnLine>,
    /// Hears why functions fail.
    pub on_fault: Option<OnLine>,
    /// Files and folders that no function reads although they are in its folder, such as the data folder.
    pub private: Vec<PathBuf>,
}

/// `space.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpaceFile {
    #[serde(default = "usual_name")]
    name: String,
    #[serde(default, rename = "function")]
    functions: Vec<Declared>,
}

fn usual_name() -> String {
    "functions".to_owned()
}

/// Functions, ready to become a service.
pub struct Functions {
    name: &'static str,
    pub(crate) rows: Vec<Row>,
    documents: Arc<Documents>,
    /// What this machine enforces.
    pub protections: Protections,
    /// What was printed by invocations whose caller wants it.
    pub tails: Tails,
}

/// A function with what belongs to it.
pub(crate) struct Row {
    pub(crate) checked: Checked,
    pub(crate) foreign: Foreign,
    pub(crate) folder: PathBuf,
}

/// The functions that are declared in a folder: in its `space.toml`, otherwise in the heads of its files.
///
/// # Errors
/// `space.invalid`, naming the file and what is wrong.
pub fn declared_in(folder: &Path) -> Result<Option<(String, Vec<Declared>)>, Fault> {
    let file = folder.join("space.toml");
    let wrong = |what: String| Fault::bad_input("space.invalid", format!("{}: {what}", file.display()));
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let space: SpaceFile = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            return Ok(Some((space.name, space.functions)));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(wrong(format!("it cannot be read: {error}"))),
    }
    let files = sources_in(folder).map_err(|error| wrong(format!("its folder cannot be read: {error}")))?;
    let mut found = Vec::new();
    for file in files {
        found.extend(read_head(folder, &file)?);
    }
    Ok((!found.is_empty()).then(|| (usual_name(), found)))
}

/// Files of a folder that have a head, right or wrong.
pub fn heads_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = sources_in(folder).unwrap_or_default();
    files.retain(|file| !matches!(read_head(folder, file), Ok(None)));
    files
}

fn sources_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| Language::of(file).is_some() && file.is_file());
    files.sort();
    Ok(files)
}

fn read_head(folder: &Path, file: &Path) -> Result<Option<Declared>, Fault> {
    let source = std::fs::read_to_string(file).unwrap_or_default();
    head::read(file.strip_prefix(folder).unwrap_or(file), &source)
}

impl Functions {
    /// Puts functions together: `name` is that of their service, `folder` the one that their paths are below.
    ///
    /// # Errors
    /// `space.invalid` with every mistake, `function.missing` where a file or program is missing, `function.sandbox` where this
    /// machine does not enforce what is needed.
    pub async fn new(name: &str, declared: Vec<Declared>, folder: &Path, options: Options) -> Result<Self, Fault> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(is_plain) {
            let message = format!("`{name}`: a service is named with a–z, digits and `-`");
            return Err(Fault::bad_input("space.invalid", message));
        }
        let folder = folder.canonicalize().map_err(|error| missing(folder, &error.to_string()))?;
        let mut checked = Vec::new();
        let file = folder.join("space.toml");
        let is_without_file = !file.exists();
        for (at, one) in declared.into_iter().enumerate() {
            let place = match &one.handler {
                Some(handler) if is_without_file => handler.display().to_string(),
                _ => format!("{}, function {}", file.display(), at + 1),
            };
            checked.push(one.check(&place)?);
        }
        find_collisions(&checked)?;
        let program = match options.program.clone() {
            Some(program) => program,
            None => {
                std::env::current_exe().map_err(|error| Fault::bug(format!("the program is not found: {error}")))?
            }
        };
        let protections = probe(&program).await.map_err(sandbox_fault)?;
        let documents = Arc::new(Documents::new(name));
        let tails = Tails::default();
        let places = Places::new(&folder, &checked)?;
        let mut rows = Vec::new();
        let maker =
            Maker { name, program: &program, protections, documents: &documents, tails: &tails, options: &options };
        for (at, checked) in checked.into_iter().enumerate() {
            rows.push(maker.make(&places, at, checked).await?);
        }
        Ok(Self { name: leak(name), rows, documents, protections, tails })
    }

    /// The service: a row of the binding table for each trigger, and a table for documents where one keeps some.
    pub fn service(&self) -> Service {
        let mut service = Service::new(self.name);
        for Row { checked, foreign, .. } in &self.rows {
            for (kind, pattern) in &checked.triggers {
                let Checked { who, stranger, declared, .. } = checked;
                service = service
                    .on(kind.clone(), pattern.as_str(), foreign.clone(), *who, *stranger)
                    .attempts_max(declared.attempts_max)
                    .memory_mb(declared.memory_mb_max)
                    .answers(successes(checked));
                service = checked.uses.iter().fold(service, |service, (kind, pattern)| match kind {
                    Kind::Event(name) => service.emits(&[leak(name.as_ref())], pattern.as_str()),
                    Kind::Get => service.reads(&[pattern.as_str()]),
                    kind => service.calls(kind.clone(), pattern.as_str()),
                });
            }
        }
        let has_documents = self.rows.iter().any(|row| row.checked.may.documents);
        if has_documents { self.documents.declare(service) } else { service }
    }

    /// Starts a process of every function before anybody calls; gives what does not begin.
    pub async fn prepare(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for row in &self.rows {
            if let Err(no_answer) = row.foreign.inner.pool.prepare().await {
                faults.push(row.foreign.fault("", &no_answer));
            }
        }
        faults
    }

    /// Files have changed: processes of functions that may have read them are replaced by new ones.
    pub async fn changed(&self, files: &[PathBuf]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for row in self.rows.iter().filter(|row| files.iter().any(|file| file.starts_with(&row.folder))) {
            row.foreign.inner.pool.renew();
            if let Err(no_answer) = row.foreign.inner.pool.prepare().await {
                faults.push(row.foreign.fault("", &no_answer));
            }
        }
        faults
    }

    /// The folders of the functions, each once.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.rows.iter().map(|row| row.folder.clone()).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// What each function may do, in words.
    pub fn policies(&self) -> String {
        self.rows.iter().map(|row| describe::policy(&row.checked)).collect()
    }

    /// How many processes of a function wait, and how many were started in all; none where there is no such function.
    pub fn processes(&self, function: &str) -> Option<(usize, u64)> {
        let row = self.rows.iter().find(|row| row.checked.name == function)?;
        Some(row.foreign.inner.pool.counts())
    }
}

/// Statuses with which a function may succeed: its answer decides.
fn successes(checked: &Checked) -> &'static [u16] {
    match checked.may.create() {
        true => &[200, 201, 202, 204],
        false => &[200, 202, 204],
    }
}

fn missing(path: &Path, why: &str) -> Fault {
    Fault::unavailable("function.missing", format!("{} is not there: {why}", path.display()))
}

fn sandbox_fault(what: String) -> Fault {
    Fault::unavailable("function.sandbox", what)
}

/// Two functions that answer the same URIs, both named.
fn find_collisions(all: &[Checked]) -> Result<(), Fault> {
    let mut seen: HashMap<(String, String), &str> = HashMap::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut mistakes = Vec::new();
    for (at, checked) in all.iter().enumerate() {
        if let Some(other) = names.insert(&checked.name, at) {
            mistakes.push(format!(
                "functions {} and {} are both named {}; rename one",
                other + 1,
                at + 1,
                checked.name
            ));
        }
        for (kind, pattern) in &checked.triggers {
            let key = (kind.to_string(), pattern.shape());
            if let Some(other) = seen.insert(key, &checked.name) {
                let what = format!("{} {}", kind.as_str().to_uppercase(), pattern.as_str());
                mistakes.push(format!("`{other}` and `{}` are both bound to {what}; change one `on`", checked.name));
            }
        }
    }
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Fault::bad_input("space.invalid", mistakes.join("\n"))),
    }
}

/// What declares functions and settings holds secrets that are of others.
const DECLARING: &[&str] = &["space.toml", "showrunner.toml", "policy.cedar"];

/// Where the functions' files are.
struct Places {
    folders: Vec<PathBuf>,
    handlers: Vec<Option<PathBuf>>,
}

impl Places {
    fn new(folder: &Path, all: &[Checked]) -> Result<Self, Fault> {
        let (mut folders, mut handlers) = (Vec::new(), Vec::new());
        for checked in all {
            let own = checked.declared.folder.as_ref().map_or_else(|| folder.to_owned(), |own| folder.join(own));
            let own = own.canonicalize().map_err(|error| missing(&own, &error.to_string()))?;
            let handler = checked.declared.handler.as_ref().map(|file| own.join(file));
            if let Some(handler) = &handler {
                let real = handler.canonicalize().map_err(|error| missing(handler, &error.to_string()))?;
                if !real.starts_with(&own) {
                    let message = format!("{}: the handler is outside the function's folder", handler.display());
                    return Err(Fault::bad_input("space.invalid", message));
                }
            }
            folders.push(own);
            handlers.push(handler);
        }
        Ok(Self { folders, handlers })
    }

    /// What a function sees of its folder: all but hidden files, private ones, what is another function's, and what links lead to:
    /// inside it is seen where it is, and outside it is declared.
    fn seen(&self, at: usize, private: &[PathBuf]) -> Seen {
        let own = &self.folders[at];
        let is_kept_back = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            let is_hidden = name.as_encoded_bytes().starts_with(b".") || DECLARING.iter().any(|known| name == *known);
            let is_handler = self.handlers.iter().enumerate().any(|(other, handler)| {
                other != at && handler.as_deref() == Some(path) && self.handlers[at].as_deref() != Some(path)
            });
            let is_folder = self.folders.iter().any(|folder| folder != own && folder.starts_with(path));
            is_hidden || is_handler || is_folder || private.iter().any(|private| private.starts_with(path))
        };
        let mut seen = Seen::default();
        // What is in the folder itself is named one by one, so that what is hidden there later is not read either.
        look(own, &is_kept_back, &mut seen);
        seen
    }
}

/// What a function sees.
#[derive(Default)]
struct Seen {
    reads: Vec<PathBuf>,
    /// Folders that are empty for it.
    hides: Vec<PathBuf>,
}

/// Packages and what is built are nobody's secrets, and large: they are seen as they are, with what is hidden there.
fn is_made(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "node_modules")
        || ["pyvenv.cfg", "CACHEDIR.TAG"].iter().any(|mark| folder.join(mark).is_file())
}

/// Adds what is seen in a folder; says whether that is all there is. Folders that are seen as a whole stand for what is in them.
fn look(folder: &Path, is_kept_back: &dyn Fn(&Path) -> bool, seen: &mut Seen) -> bool {
    let mut is_whole = true;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        let is_folder = kind.as_ref().is_ok_and(FileType::is_dir);
        if is_kept_back(&path) {
            is_whole = false;
            seen.hides.extend(is_folder.then_some(path));
        } else if kind.is_ok_and(|kind| kind.is_symlink()) {
            // Named, it would be what it leads to, wherever that is.
        } else if !is_folder || is_made(&path) {
            seen.reads.push(path);
        } else {
            let mut within = Seen::default();
            if look(&path, is_kept_back, &mut within) {
                within.reads = vec![path];
            } else {
                is_whole = false;
            }
            seen.reads.append(&mut within.reads);
            seen.hides.append(&mut within.hides);
        }
    }
    is_whole
}

struct Maker<'a> {
    name: &'a str,
    program: &'a Path,
    protections: Protections,
    documents: &'a Arc<Documents>,
    tails: &'a Tails,
    options: &'a Options,
}

impl Maker<'_> {
    async fn make(&self, places: &Places, at: usize, checked: Checked) -> Result<Row, Fault> {
        let (declared, folder) = (&checked.declared, places.folders[at].clone());
        let runnable = match (&places.handlers[at], &declared.command) {
            (Some(handler), _) => {
                let language = Language::of(handler).ok_or_else(|| {
                    let message =
                        format!("{}: a handler is a file of Python (.py) or JavaScript (.mjs, .js)", handler.display());
                    Fault::bad_input("space.invalid", message)
                })?;
                language.run(handler, &folder).await?
            }
            (None, words) => language::command(words.as_deref().unwrap_or_default(), &folder).await?,
        };
        let network = self.protections.network(&declared.network);
        let network = network.map_err(|what| sandbox_fault(format!("{}: {what}", checked.name)))?;
        let private: Vec<PathBuf> = self.options.private.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let Seen { mut reads, mut hides } = places.seen(at, &private);
        reads.extend(runnable.reads.clone());
        reads.extend(declared.files.iter().map(|file| folder.join(file)));
        let needed: Vec<PathBuf> = reads.iter().filter_map(|path| path.canonicalize().ok()).collect();
        hides.retain(|hidden| !reads.iter().chain(&needed).any(|path| path.starts_with(hidden)));
        let policy = Policy {
            reads,
            lists: vec![folder.clone()],
            hides,
            writes: Vec::new(),
            network,
            has_namespaces: self.protections.has_namespaces,
            has_mounts: self.protections.has_mounts,
            limits: checked.limits,
        };
        let function: Arc<str> = Arc::from(checked.name.as_str());
        let recipe = Recipe {
            environment: environment(&checked, &folder),
            function,
            program: self.program.to_owned(),
            policy,
            command: runnable.command,
            folder: folder.clone(),
            handler: places.handlers[at].clone(),
            init_timeout_ms: declared.init_timeout_ms,
            on_line: self.options.on_line.clone(),
        };
        let pool = Pool::new(recipe, declared.processes_max, declared.idle_ms, Box::new(reading::desk));
        let names = checked.triggers.iter().flat_map(|(_, pattern)| names_in(pattern.as_str())).collect();
        let inner = Inner {
            name: leak(checked.name.as_str()),
            shown: leak(format!("{}::{}", self.name, checked.name)),
            pool,
            may: checked.may.clone(),
            documents: self.documents.clone(),
            names,
            timeout_ms: declared.timeout_ms,
            is_open: self.options.is_open,
            on_fault: self.options.on_fault.clone(),
            tails: self.tails.clone(),
        };
        Ok(Row { checked, foreign: Foreign { inner: Arc::new(inner) }, folder })
    }
}

/// Names in braces, and `**`.
fn names_in(pattern: &'static str) -> Vec<&'static str> {
    let named = |segment: &'static str| segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    pattern.split('/').filter_map(|segment| if segment == "**" { Some("**") } else { named(segment) }).collect()
}

/// What clients of the Runtime API want to know, and what is declared; nothing else.
fn environment(checked: &Checked, folder: &Path) -> Vec<(String, String)> {
    let Checked { name, declared, .. } = checked;
    let handler = declared.handler.as_ref().map(|file| file.display().to_string());
    let usual = [
        ("_HANDLER", handler.or_else(|| declared.command.as_ref()?.last().cloned()).unwrap_or_default()),
        ("AWS_REGION", "local".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", declared.memory_mb_max.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/functions/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "log".to_owned()),
        ("LAMBDA_TASK_ROOT", folder.display().to_string()),
        ("TZ", ":UTC".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
    ];
    let usual = usual.into_iter().map(|(name, value)| (name.to_owned(), value));
    usual.chain(declared.environment.clone()).collect()
}
