//! lakefront lands PostgreSQL data in a lakehouse, exactly once. This is the program: its commands,
//! files and exit codes.

mod anew;
mod changes;
mod cli;
mod completions;
mod config;
#[cfg(feature = "pg_changes")]
mod debezium;
mod doctor;
mod exit;
mod generate;
mod http;
mod init;
mod lock;
mod logging;
mod moment;
mod pipeline;
mod process;
mod progress;
mod prove;
mod replay;
mod report;
mod run;
mod runtime;
#[cfg(feature = "pg_changes")]
mod schema;
mod shapes;
mod shutdown;
mod status;
mod validate;

#[cfg(not(feature = "pg_logs"))]
compile_error!("a build has pg_logs at least: --features pg_logs");

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use lakefront_operators::run::allocator;
use lakefront_operators::shown::one_line;

use crate::cli::{Cli, Command};
use crate::config::ConfigError;
use crate::exit::Exit;

fn main() -> ExitCode {
    allocator::keep_few_arenas();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                // A reader may close the pipe early: that is no error.
                let _ = error.print();
                return Exit::Done.into();
            }
            // The message repeats the arguments, which may hold a signed URL or a file name from a
            // shell glob.
            let typed = std::env::args_os().map(|arg| one_line(&arg.to_string_lossy()).into_owned());
            let error = Cli::try_parse_from(typed).err().unwrap_or(error);
            logging::say(error.render().to_string().trim_end());
            return Exit::Usage.into();
        }
    };
    logging::start(cli.log_format, cli.command.log_level());
    runtime::end_process_on_panic();
    #[cfg(debug_assertions)]
    let _failpoints = fail::FailScenario::setup();
    let result = match cli.command {
        Command::Init(args) => init::init(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Run(args) => run::run(&args).map_err(anew::begin),
        Command::Validate(args) => validate::validate(&args),
        Command::Status(args) => status::status(&args),
        Command::Prove(args) => match prove::prove(&args) {
            Ok(exit) => return exit.into(),
            Err(error) => Err(error),
        },
        Command::Changes(args) => match changes::changes(&args) {
            Ok(exit) => return exit.into(),
            Err(error) => Err(error),
        },
        #[cfg(feature = "pg_changes")]
        Command::Debezium(args) => debezium::debezium(&args),
        #[cfg(feature = "pg_changes")]
        Command::Schema(args) => schema::schema(&args),
        Command::Generate(args) => generate::generate(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Completions(args) => completions::completions(&args),
    };
    match result {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            let text = format!("{error:#}");
            // Errors of a pipeline file come one per line; in any other error a line feed is part
            // of a name.
            match error.is::<ConfigError>() {
                true => logging::error(&text),
                false => logging::error(&one_line(&text)),
            }
            Exit::of(&error).into()
        }
    }
}
