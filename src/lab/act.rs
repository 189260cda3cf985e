//! What changes while a variant runs: knobs are turned, faults begin and end.

use std::sync::atomic::Ordering;

use super::{LabEvent, cache::milliseconds, locks::Strike, schedule::Due, setup::Traffic, variant::Running};
use crate::course::lab::{Action, Setting};

impl Running<'_> {
    /// Turns a knob to a value that is in the stage's knobs already.
    pub(super) fn turn(&mut self, setting: Setting, value: f64) {
        let rate = self.stage.knobs.rate(&self.stage.experiment).map(|rate| rate * self.surge);
        let popularity = self.stage.knobs.popularity(&self.stage.experiment);
        match &self.traffic {
            Traffic::Cache { traffic, pacer, requests, .. } => match setting {
                Setting::Rate => {
                    if let (Some(pacer), Some(rate)) = (pacer, rate) {
                        pacer.set_rate(rate);
                    }
                }
                Setting::Writes => {
                    if let Some(pacer) = pacer {
                        pacer.set_writes(value);
                    }
                    for requests in requests {
                        requests.set_writes(value);
                    }
                }
                Setting::Alpha => {
                    if let Some(pacer) = pacer {
                        pacer.set_popularity(popularity);
                    }
                    for requests in requests {
                        requests.set_popularity(popularity);
                    }
                }
                Setting::OriginLatency => traffic.origin.set_latency(milliseconds(value)),
                Setting::OriginCapacity => traffic.origin.set_capacity(Some((value as u32).max(1))),
                Setting::Ttl => traffic.set_ttl(milliseconds(value)),
                Setting::Work | Setting::PauseOneIn | Setting::Clients => {}
            },
            Traffic::Lock { traffic, requests } => match setting {
                Setting::Ttl => traffic.settings.ttl.store((value * 1000.0) as u64, Ordering::Relaxed),
                Setting::Work => traffic.settings.work.store((value * 1000.0) as u64, Ordering::Relaxed),
                Setting::PauseOneIn => traffic.settings.pause_one_in.store(value as u64, Ordering::Relaxed),
                Setting::Clients => traffic.settings.clients.store(value as u64, Ordering::Relaxed),
                Setting::OriginLatency => traffic.warehouse.set_latency(milliseconds(value)),
                Setting::Alpha => {
                    for requests in requests {
                        requests.set_popularity(popularity);
                    }
                }
                Setting::Rate | Setting::Writes | Setting::OriginCapacity => {}
            },
        }
    }

    /// A fault begins or ends. Its phase covers what lies between: not the time that killing and restarting take.
    pub(super) async fn happen(&mut self, due: Due) {
        let fault = self.stage.experiment.faults[due.fault].clone();
        let name = fault.name.get_ref();
        if due.begins {
            self.account();
            if !self.struck {
                self.struck = true;
                self.measure.phase("before", false);
            }
            self.measure.phase("after", false);
            if let Err(text) = self.apply(fault.action, true).await {
                self.stage.tell(LabEvent::Warning { text }).await;
            }
            self.mark(fault.label.clone()).await;
            let lasts = self.stage.duration.mul_f64(fault.lasts);
            if !lasts.is_zero() {
                self.account();
                self.measure.phase(name, self.measuring);
                self.schedule.end(due.fault, self.timeline.now() + lasts);
            } else if self.schedule.open().is_empty() {
                self.measure.phase("after", self.measuring);
            }
        } else {
            self.account();
            self.measure.phase(name, false);
            if let Err(text) = self.apply(fault.action, false).await {
                self.stage.tell(LabEvent::Warning { text }).await;
            }
            self.mark(format!("end: {}", fault.label)).await;
            self.account();
            self.measure.phase("after", self.measuring && self.schedule.open().is_empty());
        }
    }

    pub(super) async fn apply(&mut self, action: Action, begins: bool) -> Result<(), String> {
        match (&self.traffic, action) {
            (Traffic::Cache { traffic, .. }, Action::CacheOff) => traffic.off.store(begins, Ordering::Relaxed),
            (Traffic::Cache { traffic, .. }, Action::OriginErrors(share)) => {
                let usual = self.stage.experiment.origin.failures;
                traffic.origin.set_failures(if begins { share } else { usual });
            }
            (Traffic::Cache { traffic, .. }, Action::OriginSlow(factor)) => {
                traffic.origin.set_slowdown(if begins { factor } else { 1.0 });
            }
            (Traffic::Cache { traffic, .. }, Action::SchemaBump) if begins => traffic.raise_schema(),
            (Traffic::Lock { traffic, .. }, Action::PauseHolder(ms)) if begins => {
                traffic.strike(Strike::Pause(milliseconds(ms)));
            }
            (Traffic::Lock { traffic, .. }, Action::KillHolder) if begins => traffic.strike(Strike::Kill),
            (_, Action::Surge(factor)) => {
                self.surge = if begins { factor } else { 1.0 };
                self.turn(Setting::Rate, 0.0);
            }
            (_, Action::Flush) if begins => {
                self.remove_keys().await.map_err(|error| format!("our keys could not be removed: {error}"))?;
            }
            (_, Action::CutRedis) => return self.cut(begins).await,
            _ => {}
        }
        Ok(())
    }

    async fn cut(&mut self, begins: bool) -> Result<(), String> {
        match (&self.stage.outage, begins) {
            (Some(outage), true) => outage.kill().await,
            (Some(outage), false) => outage.restart().await,
            (None, begins) => {
                self.cut.store(begins, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}
