# What `__init__.py` imports when it is asked for, for editors and type checkers

from pseudolab.clip.loading import load_clip as load_clip
from pseudolab.clip.model import Clip as Clip
from pseudolab.data.images import ImageSet as ImageSet
from pseudolab.data.tasks import Task as Task
from pseudolab.data.tasks import load_task as load_task
from pseudolab.data.tasks import task_names as task_names
from pseudolab.method.loss import WEIGHTS as WEIGHTS
from pseudolab.method.loss import term_weights as term_weights
from pseudolab.method.loss import unified_loss as unified_loss
from pseudolab.method.prompts.base import Prompt as Prompt
from pseudolab.method.prompts.base import TemplatePrompt as TemplatePrompt
from pseudolab.method.prompts.multimodal import MultimodalPrompt as MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt as TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt as VisualPrompt
from pseudolab.method.pseudolabels import PseudoLabels as PseudoLabels
from pseudolab.method.pseudolabels import audit as audit
from pseudolab.method.recipe import Recipe as Recipe
from pseudolab.method.run import Round as Round
from pseudolab.method.run import Run as Run
from pseudolab.method.selectors import select_leaderboard as select_leaderboard
from pseudolab.method.selectors import select_propagated as select_propagated
from pseudolab.method.selectors import select_top_k as select_top_k
from pseudolab.method.splits import Split as Split
from pseudolab.method.splits import semi_supervised as semi_supervised
from pseudolab.method.splits import transductive as transductive
from pseudolab.method.splits import unsupervised as unsupervised
from pseudolab.method.strategies import STRATEGIES as STRATEGIES
from pseudolab.method.strategies import Strategy as Strategy
from pseudolab.method.training import Term as Term
from pseudolab.method.training import fit_prompt as fit_prompt
from pseudolab.method.tuner import PromptTuner as PromptTuner
from pseudolab.method.zero_shot import accuracy as accuracy
from pseudolab.method.zero_shot import class_features as class_features
from pseudolab.method.zero_shot import per_class_accuracy as per_class_accuracy
from pseudolab.settings import Settings as Settings
from pseudolab.settings import read_settings as read_settings

__version__: str
