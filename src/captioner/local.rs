//! A model inside the worker: no network, no key, one caption at a time.

#[cfg(feature = "local-captions")]
pub(super) use built_in::Local;
#[cfg(not(feature = "local-captions"))]
pub(super) use left_out::Local;

#[cfg(not(feature = "local-captions"))]
mod left_out {
    use crate::captioner::CaptionerError;
    use crate::domain::{Caption, Failure};
    use std::path::Path;
    use std::time::Duration;

    /// There is none.
    #[derive(Debug)]
    pub(in crate::captioner) enum Local {}

    impl Local {
        pub(in crate::captioner) const fn new(_: &Path) -> Result<Self, CaptionerError> {
            Err(CaptionerError::NotBuiltIn)
        }

        pub(in crate::captioner) fn name(&self) -> String {
            match *self {}
        }

        #[expect(clippy::unused_async, reason = "as the one that is built in")]
        pub(in crate::captioner) async fn load(&self) -> Result<(), CaptionerError> {
            match *self {}
        }

        #[expect(clippy::unused_async, reason = "as the one that is built in")]
        pub(in crate::captioner) async fn ask(&self, _: &[u8], _: Duration) -> Result<Caption, Failure> {
            match *self {}
        }
    }
}

#[cfg(feature = "local-captions")]
mod built_in {
    use crate::captioner::CaptionerError;
    use crate::domain::{Caption, Failure, FailureCode, Orientation, Tokens, reason};
    use crate::own_thread::on_own_thread;
    use crate::pipeline::{Limits, render};
    use crate::probe::probe;
    use darkroom_local_captioner::{CaptionError, LocalCaptioner, Picture};
    use std::io::Cursor;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::{OnceCell, Semaphore};
    use tokio_util::sync::CancellationToken;

    /// What is shown is a thumbnail.
    const LIMITS: Limits = Limits { max_pixels: 1 << 20, memory_budget_bytes: 64 << 20 };

    /// The model, once it is loaded.
    #[derive(Debug)]
    pub(in crate::captioner) struct Local {
        folder: PathBuf,
        model: OnceCell<Arc<LocalCaptioner>>,
        /// Two at a time would take twice the memory and be no faster: one keeps all processors busy.
        turn: Arc<Semaphore>,
    }

    impl Local {
        /// Nothing is loaded yet, because whoever only wants to know what is asked has no use for a gigabyte of weights.
        pub(in crate::captioner) fn new(folder: &Path) -> Result<Self, CaptionerError> {
            if folder.as_os_str().is_empty() {
                return Err(CaptionerError::NoWeights);
            }
            let turn = Arc::new(Semaphore::new(1));
            Ok(Self { folder: folder.to_owned(), model: OnceCell::new(), turn })
        }

        /// The name of the folder, which is best called like the model.
        pub(in crate::captioner) fn name(&self) -> String {
            self.folder.file_name().unwrap_or(self.folder.as_os_str()).to_string_lossy().into_owned()
        }

        pub(in crate::captioner) async fn load(&self) -> Result<(), CaptionerError> {
            self.model.get_or_try_init(|| loaded(self.folder.clone())).await.map(drop)
        }

        /// The text is not yet cleaned. A caption that is no longer waited for, or that takes longer than `limit`, is broken
        /// off. Waiting for one's turn is not part of that; the job's own time goes on meanwhile.
        pub(in crate::captioner) async fn ask(
            &self,
            picture: &[u8],
            limit: Duration,
        ) -> Result<Caption, Failure> {
            let misconfigured =
                |error| Failure::permanent(FailureCode::CaptionerMisconfigured, reason(&error));
            let model = self.model.get_or_try_init(|| loaded(self.folder.clone())).await;
            let model = model.map_err(misconfigured)?.clone();
            let turn = self.turn.clone().acquire_owned().await;
            let (picture, cancelled) = (picture.to_vec(), CancellationToken::new());
            let _broken_off = cancelled.clone().drop_guard();
            let saying = on_own_thread(move || {
                // Until the thread has ended, whoever may have waited for it.
                let _turn = turn;
                say(&model, &picture, &|| cancelled.is_cancelled())
            });
            tokio::time::timeout(limit, saying).await.unwrap_or_else(|_| Err(too_slow()))
        }
    }

    async fn loaded(folder: PathBuf) -> Result<Arc<LocalCaptioner>, CaptionerError> {
        // The threads that compute are started by this one, and are as nice.
        let loading = on_own_thread(move || Ok(LocalCaptioner::load(&folder)));
        let loaded = loading.await.map_err(|failure| CaptionerError::Thread(failure.text().to_owned()))?;
        loaded.map(Arc::new).map_err(|error| CaptionerError::Load(Box::new(error)))
    }

    fn say(model: &LocalCaptioner, picture: &[u8], cancelled: &dyn Fn() -> bool) -> Result<Caption, Failure> {
        let corrupt = |what: String| Failure::permanent(FailureCode::Corrupt, what);
        let header = probe(Cursor::new(picture)).map_err(|error| corrupt(reason(&error)))?;
        let drawn = render(picture, &header, Orientation::UPRIGHT, &LIMITS, cancelled)?.medium;
        let samples = drawn.to_pixels()?.rgb_on_white();
        let picture = Picture::new(drawn.width(), drawn.height(), &samples);
        let picture = picture.map_err(|error| corrupt(reason(&error)))?;
        match model.caption(&picture, cancelled) {
            Ok(said) => {
                let tokens = Tokens { prompt: 0, completion: said.generated_tokens };
                Ok(Caption { text: said.text, tokens: Some(tokens) })
            }
            Err(CaptionError::Cancelled) => Err(too_slow()),
            // The same model says the same of the same picture.
            Err(error @ CaptionError::Empty { .. }) => {
                Err(Failure::permanent(FailureCode::CaptionerBadAnswer, reason(&error)))
            }
            Err(error) => Err(Failure::permanent(FailureCode::CaptionerMisconfigured, reason(&error))),
        }
    }

    fn too_slow() -> Failure {
        let text = "the local captioner did not answer in time";
        Failure::transient(FailureCode::CaptionerUnavailable, text)
    }
}
