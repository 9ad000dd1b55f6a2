// Every view by its name (see router.js). A view draws itself from what the server tells, and says which news concern it.

import {campaign} from "./campaign.js";
import {campaigns} from "./campaigns.js";
import {experiment} from "./experiment.js";
import {experiments} from "./experiments.js";
import {figures} from "./figures.js";
import {instruments} from "./instruments.js";
import {log} from "./log.js";
import {nowhere} from "./nowhere.js";
import {requests} from "./requests.js";
import {tasks} from "./tasks.js";
import {timeline} from "./timeline.js";

export const views = {campaigns, campaign, experiments, experiment, figures, timeline, log, instruments, tasks, requests, nowhere};
