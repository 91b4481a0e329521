//! What a test asks the stand-in to fail.

use super::errors::VitessError;

/// Statements that are to fail, and how: by default the next one, before it is executed.
///
/// ```
/// # use stack::vtgate::Failure;
/// # use stack::vtgate::errors::TRANSACTION_POOL_FULL;
/// Failure::with(TRANSACTION_POOL_FULL).on("INSERT INTO orders").in_transaction().times(2);
/// ```
#[derive(Debug, Clone)]
pub struct Failure {
    pub(super) error: VitessError,
    pub(super) stage: Stage,
    containing: String,
    in_transaction: Option<bool>,
    times: usize,
}

/// When a failure comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Login,
    Prepare,
    BeforeExecution,
    AfterExecution,
}

impl Failure {
    /// The next statement fails with `error`, which is not executed.
    #[must_use]
    pub fn with(error: VitessError) -> Self {
        Self {
            error,
            stage: Stage::BeforeExecution,
            containing: String::new(),
            in_transaction: None,
            times: 1,
        }
    }

    /// Only statements whose text contains `text`; BEGIN, COMMIT and ROLLBACK are statements too.
    #[must_use]
    pub fn on(mut self, text: &str) -> Self {
        text.clone_into(&mut self.containing);
        self
    }

    /// So many statements instead of one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Only statements within a transaction.
    #[must_use]
    pub fn in_transaction(mut self) -> Self {
        self.in_transaction = Some(true);
        self
    }

    /// Only statements outside of a transaction.
    #[must_use]
    pub fn outside_transaction(mut self) -> Self {
        self.in_transaction = Some(false);
        self
    }

    /// The statement is executed, and its answer is the error all the same.
    #[must_use]
    pub fn after_executing(mut self) -> Self {
        self.stage = Stage::AfterExecution;
        self
    }

    /// Preparing fails in place of executing.
    #[must_use]
    pub fn on_preparing(mut self) -> Self {
        self.stage = Stage::Prepare;
        self
    }

    /// Logins fail in place of statements, with the right password; [`on`](Self::on) then means
    /// the user.
    #[must_use]
    pub fn on_login(mut self) -> Self {
        self.stage = Stage::Login;
        self
    }

    /// Says whether this is a case of it, and counts it.
    pub(super) fn strikes(&mut self, stage: Stage, text: &str, in_transaction: bool) -> bool {
        let case = self.times > 0
            && self.stage == stage
            && text.contains(&self.containing)
            && self
                .in_transaction
                .is_none_or(|wanted| wanted == in_transaction);
        self.times -= usize::from(case);
        case
    }

    pub(super) fn is_spent(&self) -> bool {
        self.times == 0
    }
}
